// Prints taps as they come by WebSocket: node --experimental-websocket listen.mjs (from Node.js 22 on without the flag).
// What comes while it is away is lost, as it is not with a webhook.
const { TAPNODE_URL, TAPNODE_TOKEN, INSTANCE } = process.env;

function listen() {
  const url = `${TAPNODE_URL.replace(/^http/, "ws")}/ws/${INSTANCE}?token=${encodeURIComponent(TAPNODE_TOKEN)}`;
  const socket = new WebSocket(url); // it can set no headers
  socket.onopen = () => console.error("listening");
  socket.onmessage = ({ data }) => {
    const { event, data: told } = JSON.parse(data);
    if (event === "message.exchange" && told.message.interactive) console.log(told.message.interactive.selectedButtonId);
  };
  socket.onclose = () => setTimeout(listen, 1000);
}
listen();
