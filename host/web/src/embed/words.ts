import { words } from '../words/words.svelte';

export const embed = words({
  en: {
    noOperation: 'Say which form: <tapnode-form operation="…" host="…">.',
    refused: (origin: string) => `The host does not let pages of ${origin} call. Start it with --origin ${origin}.`,
    unreachable: (host: string) => `No connection to ${host}.`, noToken: (from: string) => `No token came from ${from}.`, again: 'Try again',
  },
  pt: {
    noOperation: 'Diga qual formulário: <tapnode-form operation="…" host="…">.',
    refused: (origin: string) => `O servidor não deixa páginas de ${origin} chamarem. Inicie-o com --origin ${origin}.`,
    unreachable: (host: string) => `Sem conexão com ${host}.`, noToken: (from: string) => `Nenhum token veio de ${from}.`, again: 'Tentar de novo',
  },
  es: {
    noOperation: 'Di qué formulario: <tapnode-form operation="…" host="…">.',
    refused: (origin: string) => `El servidor no deja llamar a páginas de ${origin}. Inícialo con --origin ${origin}.`,
    unreachable: (host: string) => `Sin conexión con ${host}.`, noToken: (from: string) => `No llegó ningún token de ${from}.`, again: 'Probar de nuevo',
  },
});
