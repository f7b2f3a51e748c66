import { words } from '../words/words.svelte';

export const form = words({
  en: {
    form: 'Form', findings: 'Findings of this form', andMore: (n: number) => `and ${n} more`,
    expression: (field: string) => `Compute ${field} with an expression`, expressionMark: 'Expression',
    of: (n: number, most: number) => `${n} of ${most}`, more: (names: string) => `More: ${names}`, choose: 'Choose', none: 'None',
    add: 'Add', remove: (what: string) => `Remove ${what}`, open: (what: string) => `Open ${what}`, fold: (what: string) => `Fold ${what}`,
    move: (what: string) => `Move ${what}: drag, or Alt and arrow keys`, moved: (what: string, at: number, of: number) => `${what} is now ${at} of ${of}`,
    item: (what: string, n: number) => `${what} ${n}`, entry: 'Entry', name: 'Name', value: 'Value', nameOf: (n: number) => `Name ${n}`, valueOf: (name: string) => `Value of ${name}`,
    twice: 'Another entry has this name; the last one counts.', noName: 'Without a name it is not kept.', isText: 'Taken as text: it is no JSON.', noJSON: (why: string) => `This is no JSON: ${why}`, show: 'Show', hide: 'Hide',
    use: (value: string) => `Use ${value}`, removeIt: 'Remove it', kind: 'Kind', sets: 'Set', unset: 'Take away',
    offers: 'What can stand here', nothing: 'nothing', result: 'Result', computing: 'Computing', notYet: 'No value yet', other: 'Another run', tagHelp: 'Enter adds it.', empty: 'This step takes nothing.', noAnswer: 'The server does not check at the moment.',
  },
  pt: {
    form: 'Formulário', findings: 'Avisos deste formulário', andMore: (n: number) => `e mais ${n}`,
    expression: (field: string) => `Calcular ${field} com uma expressão`, expressionMark: 'Expressão',
    of: (n: number, most: number) => `${n} de ${most}`, more: (names: string) => `Mais: ${names}`, choose: 'Escolher', none: 'Nenhum',
    add: 'Adicionar', remove: (what: string) => `Remover ${what}`, open: (what: string) => `Abrir ${what}`, fold: (what: string) => `Recolher ${what}`,
    move: (what: string) => `Mover ${what}: arraste, ou Alt e setas`, moved: (what: string, at: number, of: number) => `${what} agora é ${at} de ${of}`,
    item: (what: string, n: number) => `${what} ${n}`, entry: 'Entrada', name: 'Nome', value: 'Valor', nameOf: (n: number) => `Nome ${n}`, valueOf: (name: string) => `Valor de ${name}`,
    twice: 'Outra entrada tem este nome; vale a última.', noName: 'Sem nome não é guardado.', isText: 'Fica como texto: não é JSON.', noJSON: (why: string) => `Isto não é JSON: ${why}`, show: 'Mostrar', hide: 'Esconder',
    use: (value: string) => `Usar ${value}`, removeIt: 'Remover', kind: 'Tipo', sets: 'Definir', unset: 'Tirar',
    offers: 'O que pode ficar aqui', nothing: 'nada', result: 'Resultado', computing: 'Calculando', notYet: 'Ainda sem valor', other: 'Outra execução', tagHelp: 'Enter adiciona.', empty: 'Este passo não recebe nada.', noAnswer: 'O servidor não está conferindo agora.',
  },
  es: {
    form: 'Formulario', findings: 'Avisos de este formulario', andMore: (n: number) => `y ${n} más`,
    expression: (field: string) => `Calcular ${field} con una expresión`, expressionMark: 'Expresión',
    of: (n: number, most: number) => `${n} de ${most}`, more: (names: string) => `Más: ${names}`, choose: 'Elegir', none: 'Ninguno',
    add: 'Añadir', remove: (what: string) => `Quitar ${what}`, open: (what: string) => `Abrir ${what}`, fold: (what: string) => `Plegar ${what}`,
    move: (what: string) => `Mover ${what}: arrastra, o Alt y flechas`, moved: (what: string, at: number, of: number) => `${what} es ahora ${at} de ${of}`,
    item: (what: string, n: number) => `${what} ${n}`, entry: 'Entrada', name: 'Nombre', value: 'Valor', nameOf: (n: number) => `Nombre ${n}`, valueOf: (name: string) => `Valor de ${name}`,
    twice: 'Otra entrada tiene este nombre; vale la última.', noName: 'Sin nombre no se guarda.', isText: 'Queda como texto: no es JSON.', noJSON: (why: string) => `Esto no es JSON: ${why}`, show: 'Mostrar', hide: 'Ocultar',
    use: (value: string) => `Usar ${value}`, removeIt: 'Quitar', kind: 'Tipo', sets: 'Poner', unset: 'Quitar',
    offers: 'Lo que puede ir aquí', nothing: 'nada', result: 'Resultado', computing: 'Calculando', notYet: 'Aún sin valor', other: 'Otra ejecución', tagHelp: 'Enter lo añade.', empty: 'Este paso no recibe nada.', noAnswer: 'El servidor no está comprobando ahora.',
  },
});
