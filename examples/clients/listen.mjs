// Prints taps as they come by WebSocket: node --experimental-websocket listen.mjs (from Node.js 22 on without the flag).
const { TAPNODE_URL, TAPNODE_TOKEN, INSTANCE } = process.env;
let after = ""; // where it goes on when the connection was lost; keep it on a disk, and nothing is missed when this program is

function listen() {
  const query = new URLSearchParams({ token: TAPNODE_TOKEN, after }); // a WebSocket can set no headers here
  const socket = new WebSocket(`${TAPNODE_URL.replace(/^http/, "ws")}/ws/${INSTANCE}?${query}`);
  socket.onopen = () => console.error("listening");
  socket.onmessage = ({ data: message }) => {
    const { event, data, sequence } = JSON.parse(message);
    if (event === "message.exchange" && data.message.interactive) console.log(data.message.interactive.selectedButtonId);
    after = sequence;
  };
  socket.onclose = () => setTimeout(listen, 1000);
}
listen();
