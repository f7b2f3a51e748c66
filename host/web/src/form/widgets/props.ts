import type { Field } from '../fields';

/** WidgetProps is what every widget of a field gets. change takes undefined for "nothing". */
export interface WidgetProps {
  field: Field;
  id: string;
  value: unknown;
  invalid: boolean; // there is an error
  doubtful: boolean; // there is a finding
  described: string; // ids of what describes it
  change(next: unknown): void;
}

/** shownText is a value in a field for text: also one of another type is shown and can be mended. */
export const shownText = (value: unknown): string => (value === undefined || value === null ? '' : typeof value === 'string' ? value : JSON.stringify(value));

export const placeholderOf = (field: Field): string => field.hints.placeholder ?? (field.schema['default'] === undefined ? '' : shownText(field.schema['default']));

export interface Offer {
  value: string;
  note?: string;
}
