// A dry run that answers with kind "message" is drawn as a message in a chat, whatever node it comes
// from; docs/nodes.md describes the members. What is missing or odd in it is left out.

import { isObject } from '../form/pointer';

export interface Message {
  kind: 'message';
  to: string;
  quote?: { messageId: string; text?: string };
  header: { type: string; text?: string; mediaUrl?: string } | null;
  body: string;
  footer: string;
  buttons: { type: string; label: string; value: string; hiddenOn: string[] }[];
  text: string;
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

export function asMessage(output: unknown): Message | null {
  if (!isObject(output) || output['kind'] !== 'message') return null;
  const { header, quote, buttons } = output;
  return {
    kind: 'message', to: text(output['to']), body: text(output['body']), footer: text(output['footer']), text: text(output['text']),
    ...(isObject(quote) ? { quote: { messageId: text(quote['messageId']), ...(typeof quote['text'] === 'string' ? { text: quote['text'] } : {}) } } : {}),
    header: isObject(header) ? { type: text(header['type']), text: text(header['text']), mediaUrl: text(header['mediaUrl']) } : null,
    buttons: (Array.isArray(buttons) ? buttons : []).filter(isObject).map((button) => ({
      type: text(button['type']), label: text(button['label']), value: text(button['value']),
      hiddenOn: (Array.isArray(button['hiddenOn']) ? button['hiddenOn'] : []).filter((app): app is string => typeof app === 'string'),
    })),
  };
}
