import { words } from '../words/words.svelte';

export const ui = words({
  en: { close: 'Close', copy: 'Copy', copied: 'Copied', tryAgain: 'Try again', loading: 'Loading', clear: 'Clear the search', more: 'Show more' },
  pt: { close: 'Fechar', copy: 'Copiar', copied: 'Copiado', tryAgain: 'Tentar de novo', loading: 'Carregando', clear: 'Limpar a busca', more: 'Mostrar mais' },
  es: { close: 'Cerrar', copy: 'Copiar', copied: 'Copiado', tryAgain: 'Probar de nuevo', loading: 'Cargando', clear: 'Borrar la búsqueda', more: 'Mostrar más' },
});
