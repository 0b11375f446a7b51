"use strict";
// Runs the manifest compiler beside the page: a long text does not stop the keyboard.
// First message: the compressed WebAssembly. Then { id, call, bytes, number }, each answered by { id, ok, bytes } or { id, broken }.

let started = null;
let exports = null;

async function start(compressed) {
  const stream = new Blob([compressed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  const bytes = await new Response(stream).arrayBuffer();
  exports = (await WebAssembly.instantiate(bytes, {})).instance.exports;
}

onmessage = async ({ data }) => {
  if (data instanceof Uint8Array) {
    started = start(data);
    started.catch((reason) => postMessage({ id: 0, broken: String(reason) }));
    return;
  }
  const { id, call, bytes, number } = data;
  try {
    await started;
    const at = exports.page_room(bytes.length);
    new Uint8Array(exports.memory.buffer, at, bytes.length).set(bytes);
    const ok = exports["page_" + call](number) === 1;
    const answer = new Uint8Array(exports.memory.buffer, exports.page_answer(), exports.page_answer_length()).slice();
    postMessage({ id, ok, bytes: answer }, [answer.buffer]);
  } catch (reason) {
    postMessage({ id, broken: String(reason) });
  }
};
