// node home_assistant.mjs https://host:port/ USER PASSWORD : logs in as Home Assistant's own frontend does (npm package
// home-assistant-js-websocket), switches a light, loses its connection and gets it back. Prints what it saw as JSON.
import './loopback.mjs';
import WebSocket from 'ws';
import { Auth, callService, createConnection, getUser, subscribeEntities } from 'home-assistant-js-websocket';

globalThis.WebSocket = WebSocket;
const [hassUrl, username, password] = process.argv.slice(2);
const clientId = hassUrl;
const base = hassUrl.replace(/\/$/, '');

async function post(path, body, headers = { 'content-type': 'application/json' }) {
  const response = await fetch(base + path, { method: 'POST', body, headers });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

const flow = await post('/auth/login_flow', JSON.stringify({ client_id: clientId, handler: ['homeassistant', null], redirect_uri: hassUrl }));
const done = await post(`/auth/login_flow/${flow.flow_id}`, JSON.stringify({ client_id: clientId, username, password }));
const token = await post('/auth/token', new URLSearchParams({ grant_type: 'authorization_code', code: done.result, client_id: clientId }), {});

const auth = new Auth({ hassUrl: base, clientId, expires: Date.now() + token.expires_in * 1000, ...token });
const connection = await createConnection({ auth });

function nextState(wanted) {
  return new Promise((resolve) => {
    const stop = subscribeEntities(connection, (entities) => {
      const state = entities['light.porch']?.state;
      if (state !== undefined && (wanted === undefined || state === wanted)) {
        resolve(state);
        setTimeout(stop);
      }
    });
  });
}

const before = await nextState();
const switched = nextState('on');
await callService(connection, 'light', 'turn_on', {}, { entity_id: 'light.porch' });
const after = await switched;
const user = (await getUser(connection)).name;

const ready = new Promise((resolve) => connection.addEventListener('ready', () => resolve(true)));
connection.reconnect(true);
const reconnected = await ready;

console.log(JSON.stringify({ version: connection.haVersion, before, after, user, reconnected }));
connection.close();
process.exit(0);
