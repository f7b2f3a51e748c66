// Sends a menu and prints the message's id: node send.mjs NUMBER KEY. A repeat with the same KEY sends nothing new.
const [number, key] = process.argv.slice(2);
const { TAPNODE_URL, TAPNODE_TOKEN, INSTANCE } = process.env;

const answer = await fetch(`${TAPNODE_URL}/api/message/button/${INSTANCE}`, {
  method: "POST",
  headers: { token: TAPNODE_TOKEN, "Content-Type": "application/json", "Idempotency-Key": key },
  body: JSON.stringify({
    number,
    contentText: "How can we help?",
    buttons: [{ id: "sales", displayText: "Talk to sales" }, { id: "support", displayText: "Get support" }],
  }),
  signal: AbortSignal.timeout(60_000),
});
const { messageId, error } = await answer.json();
if (!answer.ok) throw new Error(error.message);
console.log(messageId);
