import { words } from '../words/words.svelte';

export const preview = words({
  en: {
    preview: 'Preview', phone: 'Phone', desktop: 'Desktop', text: 'Text', view: 'Where it is seen', to: 'To', hidden: 'not shown here', hiddenCount: (n: number) => `${n} hidden`,
    none: 'The preview comes when the input is complete.', sample: (names: string) => `With examples for ${names}`, IMAGE: 'Image', VIDEO: 'Video', DOCUMENT: 'Document', quoted: (id: string) => `Answers ${id}`,
    fold: 'Fold the preview', unfold: 'Show the preview', message: 'Message as it is seen',
  },
  pt: {
    preview: 'Prévia', phone: 'Celular', desktop: 'Computador', text: 'Texto', view: 'Onde se vê', to: 'Para', hidden: 'não aparece aqui', hiddenCount: (n: number) => (n === 1 ? '1 oculto' : `${n} ocultos`),
    none: 'A prévia aparece quando os dados estão completos.', sample: (names: string) => `Com exemplos para ${names}`, IMAGE: 'Imagem', VIDEO: 'Vídeo', DOCUMENT: 'Documento', quoted: (id: string) => `Responde a ${id}`,
    fold: 'Recolher a prévia', unfold: 'Mostrar a prévia', message: 'A mensagem como é vista',
  },
  es: {
    preview: 'Vista previa', phone: 'Teléfono', desktop: 'Escritorio', text: 'Texto', view: 'Dónde se ve', to: 'Para', hidden: 'no se muestra aquí', hiddenCount: (n: number) => (n === 1 ? '1 oculto' : `${n} ocultos`),
    none: 'La vista previa llega cuando los datos están completos.', sample: (names: string) => `Con ejemplos para ${names}`, IMAGE: 'Imagen', VIDEO: 'Vídeo', DOCUMENT: 'Documento', quoted: (id: string) => `Responde a ${id}`,
    fold: 'Plegar la vista previa', unfold: 'Mostrar la vista previa', message: 'El mensaje como se ve',
  },
});
