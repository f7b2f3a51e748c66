// Whether numbers and texts are shown: asked for by hand, for as long as the page is open.

import { may } from '../../app/session.svelte';

const state = $state({ reveal: false });

export const revealed = (): boolean => state.reveal && may('reveal');
export const show = (reveal: boolean): boolean => (state.reveal = reveal);
