import { count } from '../../words/number';
import { words } from '../../words/words.svelte';

export const w = words({
  en: {
    title: 'Insights', flow: 'Flow', allFlows: 'All flows', instance: 'Instance', allInstances: 'All instances', range: 'Time', days: (n: number) => `${n} days`, today: 'today',
    none: 'Nothing was sent in this time.', noneNext: 'Start a flow, or look at a longer time.', lookIn: (n: number) => `Look in ${n} days`, lookAtAll: 'Look at all flows', csv: 'CSV', asTable: 'As table', asChart: 'As chart',
    sends: 'Sends', clicks: 'Clicks', rate: 'Click rate', halfIn: 'Half tap within', failedNote: (n: number) => `${count(n)} failed`, ofMenus: (n: number) => `of ${count(n)} menus`, noTaps: 'nobody tapped',
    perDay: 'Sends and clicks a day', perDayNote: 'today is not over, its line is dashed', perDayDesc: (from: number, to: number, most: number) => `Sends begin at ${count(from)} and end at ${count(to)} a day, ${count(most)} at most.`, day: 'Day', published: (flow: string, n: number) => `${flow} v${n} published`,
    byButton: 'Click rate by button', byMenu: 'Click rate by menu', menuNote: 'taps by messages', menu: 'Menu', button: 'Button', taps: 'Taps', share: 'Share', sentOf: (n: number) => `${count(n)} sent`, wrote: 'wrote instead', noAnswer: 'no answer', whichMenu: 'Which menu',
    time: 'Time to click', timeNote: (n: number) => `${count(n)} taps`, timeDesc: (name: string, n: number) => `Most taps, ${count(n)}, come within ${name}.`, upTo: 'time from sending to tap, up to', later: 'later', halfMark: (rest: string) => `half within ${rest}`, noMenus: 'No menu was sent in this time.',
    failures: 'Failures by code', failuresNote: (n: number, of: number) => `${count(n)} of ${count(of)} sends`, failuresDesc: (code: string, n: number) => `The most frequent is ${code}, ${count(n)} times.`, showRuns: 'Show the runs', noFailures: 'Nothing failed.', code: 'Code', operation: 'Operation', count: 'Count',
  },
  pt: {
    title: 'Resultados', flow: 'Fluxo', allFlows: 'Todos os fluxos', instance: 'Instância', allInstances: 'Todas as instâncias', range: 'Período', days: (n: number) => `${n} dias`, today: 'hoje',
    none: 'Nada foi enviado neste período.', noneNext: 'Comece um fluxo, ou veja um período maior.', lookIn: (n: number) => `Ver ${n} dias`, lookAtAll: 'Ver todos os fluxos', csv: 'CSV', asTable: 'Como tabela', asChart: 'Como gráfico',
    sends: 'Envios', clicks: 'Cliques', rate: 'Taxa de cliques', halfIn: 'Metade toca em até', failedNote: (n: number) => `${count(n)} falharam`, ofMenus: (n: number) => `de ${count(n)} menus`, noTaps: 'ninguém tocou',
    perDay: 'Envios e cliques por dia', perDayNote: 'hoje não acabou, a linha é tracejada', perDayDesc: (from: number, to: number, most: number) => `Os envios começam em ${count(from)} e terminam em ${count(to)} por dia, no máximo ${count(most)}.`, day: 'Dia', published: (flow: string, n: number) => `${flow} v${n} publicada`,
    byButton: 'Taxa de cliques por botão', byMenu: 'Taxa de cliques por menu', menuNote: 'toques por mensagem', menu: 'Menu', button: 'Botão', taps: 'Toques', share: 'Parte', sentOf: (n: number) => `${count(n)} enviados`, wrote: 'escreveram', noAnswer: 'sem resposta', whichMenu: 'Qual menu',
    time: 'Tempo até o clique', timeNote: (n: number) => `${count(n)} toques`, timeDesc: (name: string, n: number) => `A maior parte, ${count(n)} toques, vem em até ${name}.`, upTo: 'tempo do envio ao toque, até', later: 'depois', halfMark: (rest: string) => `metade em até ${rest}`, noMenus: 'Nenhum menu foi enviado neste período.',
    failures: 'Falhas por código', failuresNote: (n: number, of: number) => `${count(n)} de ${count(of)} envios`, failuresDesc: (code: string, n: number) => `A mais frequente é ${code}, ${count(n)} vezes.`, showRuns: 'Mostrar as execuções', noFailures: 'Nada falhou.', code: 'Código', operation: 'Operação', count: 'Vezes',
  },
  es: {
    title: 'Resultados', flow: 'Flujo', allFlows: 'Todos los flujos', instance: 'Instancia', allInstances: 'Todas las instancias', range: 'Período', days: (n: number) => `${n} días`, today: 'hoy',
    none: 'No se envió nada en este período.', noneNext: 'Empieza un flujo, o mira un período más largo.', lookIn: (n: number) => `Ver ${n} días`, lookAtAll: 'Ver todos los flujos', csv: 'CSV', asTable: 'Como tabla', asChart: 'Como gráfico',
    sends: 'Envíos', clicks: 'Clics', rate: 'Tasa de clics', halfIn: 'La mitad toca en', failedNote: (n: number) => `${count(n)} fallaron`, ofMenus: (n: number) => `de ${count(n)} menús`, noTaps: 'nadie tocó',
    perDay: 'Envíos y clics por día', perDayNote: 'hoy no ha terminado, su línea es discontinua', perDayDesc: (from: number, to: number, most: number) => `Los envíos empiezan en ${count(from)} y terminan en ${count(to)} por día, ${count(most)} como máximo.`, day: 'Día', published: (flow: string, n: number) => `${flow} v${n} publicada`,
    byButton: 'Tasa de clics por botón', byMenu: 'Tasa de clics por menú', menuNote: 'toques por mensaje', menu: 'Menú', button: 'Botón', taps: 'Toques', share: 'Parte', sentOf: (n: number) => `${count(n)} enviados`, wrote: 'escribieron', noAnswer: 'sin respuesta', whichMenu: 'Qué menú',
    time: 'Tiempo hasta el clic', timeNote: (n: number) => `${count(n)} toques`, timeDesc: (name: string, n: number) => `La mayoría, ${count(n)} toques, llega en ${name}.`, upTo: 'tiempo del envío al toque, hasta', later: 'después', halfMark: (rest: string) => `la mitad en ${rest}`, noMenus: 'No se envió ningún menú en este período.',
    failures: 'Fallos por código', failuresNote: (n: number, of: number) => `${count(n)} de ${count(of)} envíos`, failuresDesc: (code: string, n: number) => `El más frecuente es ${code}, ${count(n)} veces.`, showRuns: 'Mostrar las ejecuciones', noFailures: 'No falló nada.', code: 'Código', operation: 'Operación', count: 'Veces',
  },
});
