/*
 * Draws the stand-in of Pexip's web app: loads the branding package as the web app does, gives each plugin a frame with
 * the sandbox that the manifest may ask for, and shows what the plugin asks for. The document's `data-generation` is that
 * of Infinity.
 */

import { WebApp } from './webapp3.mjs';

const GRANTED = ['allow-forms', 'allow-same-origin', 'allow-popups', 'allow-popups-to-escape-sandbox', 'allow-downloads'];

const generation = Number(document.documentElement.dataset.generation);
// Of both kinds of addresses: /m/<alias> and /conference?conference=<alias>.
const alias = new URLSearchParams(location.search).get('conference') ?? decodeURIComponent(location.pathname.split('/').pop());
const [panel, footer, toast] = ['aside', 'footer', 'output'].map((name) => document.querySelector(name));
const shown = new Map();

async function loadPlugin() {
    const manifest = await fetch('./branding/manifest.json', { mode: 'same-origin' });
    const [plugin] = (await manifest.json()).plugins;
    const frame = document.createElement('iframe');
    const asked = (plugin.sandboxValues ?? []).filter((token) => GRANTED.includes(token));
    frame.sandbox = ['allow-scripts', ...asked].join(' ');
    frame.hidden = true;
    frame.id = 'plugin';
    frame.src = new URL(plugin.src, manifest.url);

    const app = new WebApp({
        generation, id: plugin.id, changed: draw,
        silent: generation < 37 ? ['ui:widget:add'] : [],
        pluginWindow: () => frame.contentWindow,
        post: (message) => frame.contentWindow.postMessage(message, '*'),
    });
    window.app = app;
    window.addEventListener('message', ({ source, data }) => source === frame.contentWindow && app.receive(data));
    document.body.append(frame);
}

function drawButtons({ buttons }) {
    footer.querySelectorAll('.plugin').forEach((button) => button.remove());
    for (const { icon, tooltip, isActive } of buttons.values()) {
        const button = document.createElement('button');
        button.className = 'plugin';
        button.title = tooltip;
        button.setAttribute('aria-pressed', Boolean(isActive));
        button.innerHTML = icon.custom.main;
        button.addEventListener('click', () => window.app.click());
        footer.append(button);
    }
}

function makePanel(title, frame) {
    const section = document.createElement('section');
    const heading = document.createElement('h2');
    heading.textContent = title;
    section.append(heading, frame);
    panel.append(section);
    return section;
}

function makeWidget({ src, title }) {
    const frame = document.createElement('iframe');
    frame.src = src;
    return makePanel(title, frame);
}

function drawWidgets({ widgets }) {
    for (const [id, widget] of widgets) {
        const section = shown.get(id) ?? makeWidget(widget);
        shown.set(id, section);
        section.hidden = !widget.isVisible;
    }
    for (const [id, section] of shown) {
        if (!widgets.has(id)) {
            section.remove();
            shown.delete(id);
        }
    }
}

/* Of the old kind: the very element that the plugin has made. */
function drawFrame({ frame }) {
    if (frame && !frame.isConnected) {
        makePanel(frame.title, frame).className = 'old';
    } else if (!frame) {
        panel.querySelector('.old')?.remove();
    }
}

function draw() {
    const { app } = window;
    drawButtons(app);
    drawWidgets(app);
    drawFrame(app);
    toast.textContent = app.toasts.at(-1)?.message ?? '';
}

document.querySelector('#join').addEventListener('click', () => {
    // The parameters, a PIN among them, do not stay in the address.
    history.replaceState(null, '', location.pathname);
    window.app.emit('event:conference:authenticated', { conferenceAlias: alias });
    window.app.emit('event:connected');
});
document.querySelector('#people').addEventListener('click', () => window.app.openOtherPanel());
document.querySelector('#leave').addEventListener('click', () => window.app.emit('event:userInitiatedDisconnect'));

await loadPlugin();
