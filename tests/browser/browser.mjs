// node browser.mjs https://host:port/ CHROMIUM PROFILE : drives Debian's Chromium through the tunnel; prints what it saw as JSON.
import { chromium } from 'playwright-core';

const [url, executablePath, profile] = process.argv.slice(2);
const stranger = new URL(url);
stranger.hostname = 'stranger.example.test';

const context = await chromium.launchPersistentContext(profile, {
  executablePath,
  headless: true,
  ignoreHTTPSErrors: true, // the test's own authority; curl and node verify it
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--host-resolver-rules=MAP *.example.test 127.0.0.1',
  ],
});
try {
  const page = await context.newPage();
  await page.goto(url);
  const title = await page.locator('h1').textContent();

  const seen = await page.evaluate(async () => {
    const downloaded = (await (await fetch('/content/3000000')).arrayBuffer()).byteLength;
    const uploaded = (await (await fetch('/hash', { method: 'POST', body: new Uint8Array(2000000) })).json()).octets;
    const echo = await new Promise((resolve, reject) => {
      const socket = new WebSocket(`wss://${location.host}/ws`);
      socket.onopen = () => socket.send('hello from a browser');
      socket.onmessage = (message) => resolve(message.data);
      socket.onerror = reject;
    });
    const event = await new Promise((resolve, reject) => {
      const source = new EventSource('/fed');
      source.onopen = () => { source.close(); resolve('open'); };
      source.onerror = reject;
    });
    return { downloaded, uploaded, echo, event };
  });

  const answer = await page.goto(stranger.href);
  const unknownPage = (await page.locator('body').textContent()).includes(answer.headers()['sallyport-error']);
  console.log(JSON.stringify({ title, ...seen, unknownStatus: answer.status(), unknownPage }));
} finally {
  await context.close();
}
