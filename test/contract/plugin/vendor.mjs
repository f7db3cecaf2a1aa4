/* A plugin that does with the vendor's library what ours does; bundled with several versions of it. */

import { registerPlugin } from '@pexip/plugin-api';

const ID = 'rc-chat';
const { url, title, button } = JSON.parse(new URLSearchParams(window.parent.location.search).get('want'));

async function start() {
    const plugin = await registerPlugin({ id: ID, version: 1 });
    let widget;
    if (plugin.ui.addWidget) {
        widget = await plugin.ui.addWidget({ type: 'sidePanel', src: url, title });
    } else {
        window.plugin.iframeManager.add({ id: ID, url, type: 'sidePanel' });
    }
    const added = await plugin.ui.addButton({ ...button, isActive: false });
    widget?.onToggle.add(({ isVisible }) => added.update({ ...button, isActive: isVisible }));
    added.onClick.add(() => (widget ? widget.toggle() : plugin.ui.togglePlugin({ id: ID })));
}

start();
