import './styles/fonts.css';
import './styles/tokens.css';
import './styles/base.css';
import { mount } from 'svelte';
import App from './app/App.svelte';
import { own } from './words/words.svelte';

const target = document.getElementById('app');
if (target === null) throw new Error('the page has no place for the app');
own();
mount(App, { target });
