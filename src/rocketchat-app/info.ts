import { IBlock } from '@rocket.chat/apps-engine/definition/uikit';

/* What is shown, in this order, of what the module tells about a call. */
const LABELS: Array<[string, string]> = [
    ['title', 'Title'],
    ['join_url', 'Join by browser'],
    ['address', 'Address'],
    ['alias', 'Alias'],
    ['numeric_alias', 'Number'],
    ['guest_pin', 'Guest PIN'],
    ['host_pin', 'Host PIN'],
];

/* The members are texts of people too, so nothing in them formats or mentions. */
function line(member: string, label: string, value: string): IBlock {
    const block = { type: 'section', blockId: `pexip-${member}`, text: { type: 'plain_text', text: `${label}: ${value}`, emoji: false } };
    return block as unknown as IBlock;
}

export function blocksOf(info: Record<string, unknown>): Array<IBlock> {
    const blocks: Array<IBlock> = [];
    for (const [member, label] of LABELS) {
        const value = info[member];
        if (typeof value === 'string' && value !== '') {
            blocks.push(line(member, label, value));
        }
    }
    return blocks;
}
