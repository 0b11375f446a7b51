"use strict";
// Unpacks page.js and runs it.

/// The bytes that stand as characters in a script element: yEnc, seen through windows-1252.
function bytesOf(id) {
  const text = document.getElementById(id).textContent;
  // The characters that windows-1252 has for 80h to 9Fh (WHATWG Encoding, 9).
  const high = new Map([0x20ac, 0x81, 0x201a, 0x192, 0x201e, 0x2026, 0x2020, 0x2021, 0x2c6, 0x2030, 0x160, 0x2039, 0x152, 0x8d, 0x17d, 0x8f,
    0x90, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x2dc, 0x2122, 0x161, 0x203a, 0x153, 0x9d, 0x17e, 0x178].map((c, i) => [c, 0x80 + i]));
  const out = new Uint8Array(text.length);
  let length = 0;
  let escaped = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 0x3d && escaped === 0) {
      escaped = 64;
    } else {
      out[length++] = (high.get(c) ?? c) - escaped - 42;
      escaped = 0;
    }
  }
  return out.subarray(0, length);
}

async function inflated(id) {
  const stream = new Blob([bytesOf(id)]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function fatal(text) {
  const element = document.getElementById("fatal");
  element.textContent = text;
  element.hidden = false;
}

if (globalThis.DecompressionStream && globalThis.WebAssembly) {
  inflated("page").then((bytes) => {
    const script = document.createElement("script");
    script.src = URL.createObjectURL(new Blob([bytes], { type: "text/javascript" }));
    script.onerror = () => fatal("This browser does not run the page's script.");
    document.body.append(script);
  }, (reason) => fatal("This file is damaged: " + reason));
} else {
  fatal("This browser is too old for the page. A current Firefox, Chrome, Edge or Safari can show it.");
}
