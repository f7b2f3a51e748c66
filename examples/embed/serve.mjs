// Serves this folder as another product would, on another port, and gives the page its token.
//
//	TAPNODE_TOKEN=… node serve.mjs [PORT]
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';

const kinds = { 'index.html': 'text/html; charset=utf-8', 'page.js': 'text/javascript', 'page.css': 'text/css' };
const host = process.env.TAPNODE_HOST ?? 'http://127.0.0.1:8080';
// The page's own policy: the form needs nothing inline, only the host as a source of its script and to call.
const policy = `default-src 'none'; script-src 'self' ${host}; style-src 'self'; img-src data:; connect-src 'self' ${host}; base-uri 'none'`;

const server = createServer(async (request, response) => {
  const name = new URL(request.url, 'http://page').pathname.slice(1) || 'index.html';
  response.setHeader('Content-Security-Policy', policy);
  if (name === 'token') {
    // Here a product checks who is signed in with it. A token that may read and send is enough.
    response.end(process.env.TAPNODE_TOKEN ?? '');
    return;
  }
  if (!(name in kinds)) {
    response.writeHead(404).end();
    return;
  }
  response.setHeader('Content-Type', kinds[name]);
  const text = await readFile(new URL(name, import.meta.url), 'utf8');
  response.end(text.replaceAll('http://127.0.0.1:8080', host));
});
server.listen(Number(process.argv[2] ?? 8090), '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
