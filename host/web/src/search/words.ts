import { words } from '../words/words.svelte';

export const search = words({
  en: {
    label: 'Search everything', found: 'What is found', none: 'Nothing found. Runs are found by the number of a customer, or the id of a message or run.',
    pages: 'Pages', steps: 'Steps', operations: 'What steps can do', commands: 'In this flow', everywhere: 'Everywhere',
    clicks: 'Clicks', letters: 'Dead letters', webhooks: 'Webhooks', about: (what: string) => `Runs about ${what}`, runsThat: (state: string) => `Runs: ${state}`,
    running: 'going on', failed: 'failed', succeeded: 'done', cancelled: 'stopped', queued: 'in line',
    theme: (name: string) => `Theme: ${name}`, language: (name: string) => `Language: ${name}`,
    inFlow: 'In a flow', notWhileWriting: 'Single letters count only while no field has the focus.',
    kFind: 'find a step and add it', kMove: 'to the next step, along exits and back', kOpen: 'into the form', kLeave: 'back to the step', kConnect: 'connect the exit of a step', kRename: 'rename', kDelete: 'delete', kUndo: 'undo', kRedo: 'redo',
    kCopy: 'copy steps as YAML', kCut: 'cut', kPaste: 'paste', kReorder: 'move a button in its list', kZoom: 'fit, 100 %, picked step', kFinding: 'next finding; with Shift the one before', kPhone: 'into the phone, where 1 to 3 tap', kAgain: 'start again with this draft',
  },
  pt: {
    label: 'Buscar em tudo', found: 'O que foi encontrado', none: 'Nada encontrado. Execuções são encontradas pelo número de um cliente, ou pelo id de uma mensagem ou execução.',
    pages: 'Páginas', steps: 'Passos', operations: 'O que os passos sabem fazer', commands: 'Neste fluxo', everywhere: 'Em todo lugar',
    clicks: 'Cliques', letters: 'Não entregues', webhooks: 'Webhooks', about: (what: string) => `Execuções sobre ${what}`, runsThat: (state: string) => `Execuções: ${state}`,
    running: 'em andamento', failed: 'falharam', succeeded: 'prontas', cancelled: 'paradas', queued: 'na fila',
    theme: (name: string) => `Tema: ${name}`, language: (name: string) => `Idioma: ${name}`,
    inFlow: 'Em um fluxo', notWhileWriting: 'Letras sozinhas só valem quando nenhum campo está em foco.',
    kFind: 'buscar um passo e adicionar', kMove: 'ao próximo passo, pelas saídas e de volta', kOpen: 'ao formulário', kLeave: 'de volta ao passo', kConnect: 'ligar a saída de um passo', kRename: 'renomear', kDelete: 'apagar', kUndo: 'desfazer', kRedo: 'refazer',
    kCopy: 'copiar passos como YAML', kCut: 'recortar', kPaste: 'colar', kReorder: 'mover um botão na lista', kZoom: 'ajustar, 100 %, passo escolhido', kFinding: 'próximo achado; com Shift o anterior', kPhone: 'ao celular, onde 1 a 3 tocam', kAgain: 'começar de novo com este rascunho',
  },
  es: {
    label: 'Buscar en todo', found: 'Lo que se encontró', none: 'No se encontró nada. Las ejecuciones se encuentran por el número de un cliente, o por el id de un mensaje o ejecución.',
    pages: 'Páginas', steps: 'Pasos', operations: 'Lo que saben hacer los pasos', commands: 'En este flujo', everywhere: 'En todas partes',
    clicks: 'Clics', letters: 'No entregados', webhooks: 'Webhooks', about: (what: string) => `Ejecuciones sobre ${what}`, runsThat: (state: string) => `Ejecuciones: ${state}`,
    running: 'en marcha', failed: 'fallidas', succeeded: 'hechas', cancelled: 'detenidas', queued: 'en cola',
    theme: (name: string) => `Tema: ${name}`, language: (name: string) => `Idioma: ${name}`,
    inFlow: 'En un flujo', notWhileWriting: 'Las letras solas valen mientras ningún campo tiene el foco.',
    kFind: 'buscar un paso y añadirlo', kMove: 'al siguiente paso, por las salidas y de vuelta', kOpen: 'al formulario', kLeave: 'de vuelta al paso', kConnect: 'conectar la salida de un paso', kRename: 'renombrar', kDelete: 'borrar', kUndo: 'deshacer', kRedo: 'rehacer',
    kCopy: 'copiar pasos como YAML', kCut: 'cortar', kPaste: 'pegar', kReorder: 'mover un botón en su lista', kZoom: 'ajustar, 100 %, paso elegido', kFinding: 'siguiente hallazgo; con Shift el anterior', kPhone: 'al teléfono, donde 1 a 3 tocan', kAgain: 'empezar de nuevo con este borrador',
  },
});
