// Takes taps by webhook and prints them: node webhook.mjs PORT. WEBHOOK_SECRET is what making the webhook gave.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const key = Buffer.from(process.env.WEBHOOK_SECRET.replace(/^whsec_/, ""), "base64");
const seen = new Set(); // an event comes at least once: a real receiver keeps the ids in its database

function signed(headers, body) {
  const id = headers["webhook-id"], timestamp = headers["webhook-timestamp"];
  if (!(Math.abs(Date.now() / 1000 - timestamp) <= 300)) return false;
  const want = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest();
  return (headers["webhook-signature"] ?? "").split(" ").some((signature) => { // two while the secret is changed
    const given = Buffer.from(signature.replace(/^v1,/, ""), "base64");
    return given.length === want.length && timingSafeEqual(given, want);
  });
}

createServer(async (request, response) => {
  if (!(request.headers["content-length"] <= 2e6)) return response.writeHead(413).end(); // none has more
  const parts = [];
  for await (const part of request) parts.push(part);
  const body = Buffer.concat(parts);
  if (!signed(request.headers, body)) return response.writeHead(401).end();
  const { id, type, data } = JSON.parse(body);
  if (type === "whatsapp.button.clicked.v1" && !seen.has(id)) console.log(data.button.id);
  seen.add(id);
  response.writeHead(204).end(); // only now: what is not answered comes again
}).listen(Number(process.argv[2]), "127.0.0.1");
