import { words } from '../../words/words.svelte';

export const sessions = words({
  en: {
    title: 'Sessions', about: 'Browsers that are signed in. A session ends 12 hours after its last use, and after 7 days.', none: 'Nobody is signed in: this page was asked for with a token.',
    who: 'Began with', may: 'May', began: 'Signed in', used: 'Last used', until: 'Ends', own: 'This browser', link: 'A sign-in link',
    end: 'End', signOut: 'Sign out', endOthers: 'End all others', keep: 'Keep',
    endAbout: (n: number) => (n === 1 ? '1 other browser has to sign in again. What it has not saved stays in it.' : `${n} other browsers have to sign in again. What they have not saved stays in them.`), endAll: (n: number) => (n === 1 ? 'End 1 session' : `End ${n} sessions`),
  },
  pt: {
    title: 'Sessões', about: 'Navegadores que entraram. Uma sessão termina 12 horas depois do último uso, e depois de 7 dias.', none: 'Ninguém entrou: esta página foi pedida com um token.',
    who: 'Começou com', may: 'Pode', began: 'Entrou', used: 'Último uso', until: 'Termina', own: 'Este navegador', link: 'Um link de acesso',
    end: 'Encerrar', signOut: 'Sair', endOthers: 'Encerrar todas as outras', keep: 'Manter',
    endAbout: (n: number) => (n === 1 ? '1 outro navegador terá de entrar de novo. O que ele não salvou fica nele.' : `${n} outros navegadores terão de entrar de novo. O que não salvaram fica neles.`), endAll: (n: number) => (n === 1 ? 'Encerrar 1 sessão' : `Encerrar ${n} sessões`),
  },
  es: {
    title: 'Sesiones', about: 'Navegadores que han entrado. Una sesión termina 12 horas después de su último uso, y tras 7 días.', none: 'Nadie ha entrado: esta página se pidió con un token.',
    who: 'Empezó con', may: 'Puede', began: 'Entró', used: 'Último uso', until: 'Termina', own: 'Este navegador', link: 'Un enlace de acceso',
    end: 'Terminar', signOut: 'Salir', endOthers: 'Terminar todas las demás', keep: 'Mantener',
    endAbout: (n: number) => (n === 1 ? '1 otro navegador tendrá que entrar de nuevo. Lo que no guardó se queda en él.' : `${n} otros navegadores tendrán que entrar de nuevo. Lo que no guardaron se queda en ellos.`), endAll: (n: number) => (n === 1 ? 'Terminar 1 sesión' : `Terminar ${n} sesiones`),
  },
});
