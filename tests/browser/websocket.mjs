// node websocket.mjs https://host:port/ : speaks to /ws with the npm package ws; prints what held as JSON.
import './loopback.mjs';
import { once } from 'node:events';
import WebSocket from 'ws';

const url = new URL('/ws', process.argv[2]);
url.protocol = 'wss:';
const socket = new WebSocket(url, { perMessageDeflate: { threshold: 0 } });
await once(socket, 'open');
const deflate = socket.extensions.includes('permessage-deflate');

async function echo(data, options) {
  socket.send(data, options ?? {});
  const [answer] = await once(socket, 'message');
  return Buffer.from(data).equals(answer);
}

const text = (await echo('hello')) && (await echo('x'.repeat(100000)));
const binary = await echo(Buffer.alloc(1 << 20, 7));

socket.send('one ', { fin: false });
socket.send('two ', { fin: false });
socket.send('three', { fin: true });
const fragments = (await once(socket, 'message'))[0].toString() === 'one two three';

socket.ping('are you there');
const pong = (await once(socket, 'pong'))[0].toString() === 'are you there';

socket.send('close 4001');
const [closeCode] = await once(socket, 'close');
console.log(JSON.stringify({ text, binary, fragments, pong, closeCode, deflate }));
