/** A program: opens connections one after another, each answered with a byte or more; prints the middle time in µs. */
export const CONNECTOR = `
const [host, port, count] = process.argv.slice(1).map((text, n) => (n === 0 ? text : Number(text)));
const once = () => new Promise((resolve, reject) => {
  const begun = process.hrtime.bigint();
  const socket = require('node:net').connect({ host, port });
  socket.once('data', () => { resolve(Number(process.hrtime.bigint() - begun) / 1000); socket.destroy(); });
  socket.once('error', reject);
});
(async () => {
  const times = [];
  for (let n = 0; n < count; n++) times.push(await once());
  console.log(times.sort((a, b) => a - b)[count >> 1]);
})();`;
