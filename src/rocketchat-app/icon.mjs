/* Writes the app's icon, a camera on a round ground, as a PNG to the file named by the argument. */

import { writeFileSync } from 'node:fs';
import { deflateSync } from 'node:zlib';

const SIZE = 128;
const NOTHING = [0, 0, 0, 0];
const GROUND = [0x0b, 0x4f, 0x8a, 255];
const CAMERA = [255, 255, 255, 255];

function isLens(x, y) {
    return x >= 82 && x <= 102 && Math.abs(y - 64) <= 8 + (x - 82) * 0.7;
}

function colourAt(x, y) {
    if (Math.hypot(x - 63.5, y - 63.5) > 62) {
        return NOTHING;
    }
    const isBody = x >= 28 && x <= 78 && y >= 44 && y <= 84;
    return isBody || isLens(x, y) ? CAMERA : GROUND;
}

function crc32(bytes) {
    let crc = 0xffffffff;
    for (const byte of bytes) {
        crc ^= byte;
        for (let bit = 0; bit < 8; bit += 1) {
            crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
        }
    }
    return ~crc >>> 0;
}

function chunk(type, data) {
    const content = Buffer.concat([Buffer.from(type, 'latin1'), data]);
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(data.length, 0);
    frame.writeUInt32BE(crc32(content), 4);
    return Buffer.concat([frame.subarray(0, 4), content, frame.subarray(4)]);
}

function header() {
    const data = Buffer.alloc(13);
    data.writeUInt32BE(SIZE, 0);
    data.writeUInt32BE(SIZE, 4);
    data.set([8, 6], 8); // eight bits for each of red, green, blue, alpha
    return data;
}

function rows() {
    const lines = [];
    for (let y = 0; y < SIZE; y += 1) {
        lines.push(0); // no filter
        for (let x = 0; x < SIZE; x += 1) {
            lines.push(...colourAt(x, y));
        }
    }
    return deflateSync(Buffer.from(lines), { level: 9 });
}

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

writeFileSync(process.argv[2], Buffer.concat([
    SIGNATURE, chunk('IHDR', header()), chunk('IDAT', rows()), chunk('IEND', Buffer.alloc(0)),
]));
