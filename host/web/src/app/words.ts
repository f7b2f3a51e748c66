import { words } from '../words/words.svelte';

export const app = words({
  en: {
    flows: 'Flows', runs: 'Runs', insights: 'Insights', instances: 'Instances',
    areas: 'Areas', content: 'To the content', search: 'Flow, customer, message id', searchLabel: 'Search',
    theme: 'Light or dark', light: 'Light', dark: 'Dark', system: 'As the system', language: 'Language',
    account: 'Account', sessions: 'Sessions', keys: 'All keys', signOut: 'Sign out', may: (what: string) => `may ${what}`,
    offline: 'No connection to the server. You can go on; what you change is kept here.',
    tryAgain: 'Try again', missing: 'There is no such page', missingNext: 'To the flows',
    linkTitle: 'Open your sign-in link', linkAbout: 'It is in the terminal where the server runs, is good for 15 minutes, and works once.',
    copy: 'Copy the command', copied: 'Copied', token: 'Or paste a token', signIn: 'Sign in', signingIn: 'Signing in',
    simulated: 'Simulated. Nothing leaves this machine.',
  },
  pt: {
    flows: 'Fluxos', runs: 'Execuções', insights: 'Resultados', instances: 'Instâncias',
    areas: 'Áreas', content: 'Ir para o conteúdo', search: 'Fluxo, cliente, id da mensagem', searchLabel: 'Buscar',
    theme: 'Claro ou escuro', light: 'Claro', dark: 'Escuro', system: 'Como o sistema', language: 'Idioma',
    account: 'Conta', sessions: 'Sessões', keys: 'Todas as teclas', signOut: 'Sair', may: (what: string) => `pode ${what}`,
    offline: 'Sem conexão com o servidor. Pode continuar; o que você muda fica guardado aqui.',
    tryAgain: 'Tentar de novo', missing: 'Esta página não existe', missingNext: 'Ir para os fluxos',
    linkTitle: 'Abra o seu link de acesso', linkAbout: 'Ele está no terminal onde o servidor roda, vale por 15 minutos e funciona uma vez.',
    copy: 'Copiar o comando', copied: 'Copiado', token: 'Ou cole um token', signIn: 'Entrar', signingIn: 'Entrando',
    simulated: 'Simulado. Nada sai desta máquina.',
  },
  es: {
    flows: 'Flujos', runs: 'Ejecuciones', insights: 'Resultados', instances: 'Instancias',
    areas: 'Áreas', content: 'Ir al contenido', search: 'Flujo, cliente, id del mensaje', searchLabel: 'Buscar',
    theme: 'Claro u oscuro', light: 'Claro', dark: 'Oscuro', system: 'Como el sistema', language: 'Idioma',
    account: 'Cuenta', sessions: 'Sesiones', keys: 'Todas las teclas', signOut: 'Salir', may: (what: string) => `puede ${what}`,
    offline: 'Sin conexión con el servidor. Puedes seguir; lo que cambies se guarda aquí.',
    tryAgain: 'Probar de nuevo', missing: 'Esta página no existe', missingNext: 'Ir a los flujos',
    linkTitle: 'Abre tu enlace de acceso', linkAbout: 'Está en la terminal donde corre el servidor, vale 15 minutos y sirve una vez.',
    copy: 'Copiar el comando', copied: 'Copiado', token: 'O pega un token', signIn: 'Entrar', signingIn: 'Entrando',
    simulated: 'Simulado. Nada sale de esta máquina.',
  },
});
