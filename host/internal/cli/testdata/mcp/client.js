// Uses a host's tools by both JavaScript clients of the protocol: node client.js URL TOKEN
import assert from "node:assert/strict";
import { Client as Client1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as Transport1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { Client as Client2, StreamableHTTPClientTransport as Transport2 } from "@modelcontextprotocol/client";

const [url, token] = process.argv.slice(2);
const menu = { instance: "demo", number: "5511999990001", contentText: "Hi", buttons: [{ id: "a", displayText: "A" }] };

async function use(Client, Transport, key) {
  const client = new Client({ name: "javascript", version: "1" });
  await client.connect(new Transport(new URL(url + "/mcp"), { requestInit: { headers: { Authorization: "Bearer " + token } } }));

  const { tools } = await client.listTools();
  assert(tools.some((t) => t.name === "whatsapp_sendButtons_v1") && tools.some((t) => t.name === "send_buttons"));

  const send = (args, meta) => client.callTool({ name: "whatsapp_sendButtons_v1", arguments: args, _meta: meta });
  const first = await send(menu, { idempotencyKey: key }); // the client holds it to the schema of the output
  const second = await send(menu, { idempotencyKey: key });
  assert.equal(second.structuredContent.messageId, first.structuredContent.messageId);

  const refused = await send({ ...menu, buttons: [] });
  assert(refused.isError);
  assert.equal(refused.content[0].text, "At least one button is required");
  assert.equal(refused._meta.problem.errors[0].pointer, "/buttons");

  await client.callTool({ name: "instance_new", arguments: { name: key } });
  let steps = 0;
  const aborted = new AbortController();
  const onprogress = (step) => {
    assert(step.message.startsWith("qr"));
    steps++;
    aborted.abort();
  };
  const pairing = client.callTool(...[{ name: "whatsapp_instance_connect_v1", arguments: { instance: key } }, ...(Client === Client1 ? [undefined] : []), { onprogress, signal: aborted.signal }]);
  await assert.rejects(pairing);
  assert(steps > 0);

  const shown = await client.callTool({ name: "instance_connect", arguments: { instance: "demo" } });
  assert.equal(shown.structuredContent.status, "connected");
  await client.close();
}

await use(Client1, Transport1, "one");
await use(Client2, Transport2, "two");
console.log("used");
