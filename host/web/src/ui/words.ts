import { words } from '../words/words.svelte';

export const ui = words({
  en: { close: 'Close', copy: 'Copy', copied: 'Copied', tryAgain: 'Try again', more: 'Show more' },
  pt: { close: 'Fechar', copy: 'Copiar', copied: 'Copiado', tryAgain: 'Tentar de novo', more: 'Mostrar mais' },
  es: { close: 'Cerrar', copy: 'Copiar', copied: 'Copiado', tryAgain: 'Probar de nuevo', more: 'Mostrar más' },
});
