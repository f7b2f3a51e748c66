import { words } from '../../words/words.svelte';

export const w = words({
  en: {
    title: 'Webhooks', about: 'Another service is called with each event, at least once under one id.', none: 'No service is called yet.', noneNext: 'Make a webhook, and it hears of each click, message and state as it comes.', noManage: 'Seeing webhooks needs the right manage.',
    make: 'New webhook', url: 'Address', urlHelp: 'https://…; redirects are not followed.', label: 'Label', events: 'Events', all: 'Every event', some: 'Only these', order: 'In order: an event that fails holds up those behind it', create: 'Make it', cancel: 'Cancel',
    on: 'on', off: 'off', owner: (name: string) => `set by a client of ${name}`, allEvents: 'every event', allInstances: 'all instances',
    secret: 'Its secret', secretAbout: 'Calls are signed with it. It is shown now and never again.', until: (when: string) => `The one before signs, too, until ${when}.`,
    test: 'Test', tested: (ms: string) => `Answered in ${ms}.`, testFailed: 'Not delivered.', rotate: 'Another secret', disable: 'Switch off', enable: 'Switch on', remove: 'Delete', removeSure: 'Delete it with its dead letters?', removeYes: 'Delete it',
    waiting: (n: number) => `${n} wait`, dead: (n: number) => `${n} not delivered`, lost: (n: number) => `${n} lost over a limit`,
    deliveries: 'Newest calls', noDeliveries: 'It was not called yet.', letters: 'Not tried any more', redeliver: 'Call again', drop: 'Forget', stays: 'Not delivered; it stays.', attempt: (n: number) => `attempt ${n}`,
    time: 'Time', event: 'Event', answer: 'Answer', took: 'Took', seedForm: "in the seed's form", working: 'Working',
  },
  pt: {
    title: 'Webhooks', about: 'Outro serviço é chamado a cada evento, ao menos uma vez com o mesmo id.', none: 'Nenhum serviço é chamado ainda.', noneNext: 'Crie um webhook, e ele fica sabendo de cada clique, mensagem e estado na hora.', noManage: 'Ver webhooks pede o direito manage.',
    make: 'Novo webhook', url: 'Endereço', urlHelp: 'https://…; redirecionamentos não são seguidos.', label: 'Rótulo', events: 'Eventos', all: 'Todos os eventos', some: 'Só estes', order: 'Em ordem: um evento que falha segura os de trás', create: 'Criar', cancel: 'Cancelar',
    on: 'ligado', off: 'desligado', owner: (name: string) => `definido por um cliente de ${name}`, allEvents: 'todos os eventos', allInstances: 'todas as instâncias',
    secret: 'O segredo', secretAbout: 'As chamadas são assinadas com ele. É mostrado agora e nunca mais.', until: (when: string) => `O anterior também assina, até ${when}.`,
    test: 'Testar', tested: (ms: string) => `Respondeu em ${ms}.`, testFailed: 'Não entregue.', rotate: 'Outro segredo', disable: 'Desligar', enable: 'Ligar', remove: 'Excluir', removeSure: 'Excluir com o que não foi entregue?', removeYes: 'Excluir',
    waiting: (n: number) => `${n} esperam`, dead: (n: number) => `${n} não entregues`, lost: (n: number) => `${n} perdidos por um limite`,
    deliveries: 'Últimas chamadas', noDeliveries: 'Ainda não foi chamado.', letters: 'Não se tenta mais', redeliver: 'Chamar de novo', drop: 'Esquecer', stays: 'Não entregue; fica aqui.', attempt: (n: number) => `tentativa ${n}`,
    time: 'Hora', event: 'Evento', answer: 'Resposta', took: 'Levou', seedForm: 'no formato original', working: 'Um momento',
  },
  es: {
    title: 'Webhooks', about: 'Se llama a otro servicio con cada evento, al menos una vez con el mismo id.', none: 'Todavía no se llama a ningún servicio.', noneNext: 'Crea un webhook, y se entera de cada clic, mensaje y estado al momento.', noManage: 'Ver webhooks pide el derecho manage.',
    make: 'Nuevo webhook', url: 'Dirección', urlHelp: 'https://…; no se siguen redirecciones.', label: 'Etiqueta', events: 'Eventos', all: 'Todos los eventos', some: 'Solo estos', order: 'En orden: un evento que falla retiene a los de atrás', create: 'Crear', cancel: 'Cancelar',
    on: 'activo', off: 'apagado', owner: (name: string) => `definido por un cliente de ${name}`, allEvents: 'todos los eventos', allInstances: 'todas las instancias',
    secret: 'Su secreto', secretAbout: 'Las llamadas se firman con él. Se muestra ahora y nunca más.', until: (when: string) => `El anterior también firma, hasta ${when}.`,
    test: 'Probar', tested: (ms: string) => `Respondió en ${ms}.`, testFailed: 'Sin entregar.', rotate: 'Otro secreto', disable: 'Apagar', enable: 'Activar', remove: 'Borrar', removeSure: '¿Borrarlo con lo que no se entregó?', removeYes: 'Borrar',
    waiting: (n: number) => `${n} esperan`, dead: (n: number) => `${n} sin entregar`, lost: (n: number) => `${n} perdidos por un límite`,
    deliveries: 'Últimas llamadas', noDeliveries: 'Aún no se le llamó.', letters: 'Ya no se intenta', redeliver: 'Llamar otra vez', drop: 'Olvidar', stays: 'Sin entregar; se queda.', attempt: (n: number) => `intento ${n}`,
    time: 'Hora', event: 'Evento', answer: 'Respuesta', took: 'Tardó', seedForm: 'en el formato original', working: 'Un momento',
  },
});
