// Pictures as queries: scaled down so that they fit in the address, which then finds the same for
// everybody who opens it.
const SIDE = 384;

const toAddress = (bytes) =>
  btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

function fromAddress(text) {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (character) => character.charCodeAt(0));
}

// The picture as text for an address; throws when the browser cannot decode it.
export async function encoded(file) {
  const whole = await createImageBitmap(file);
  const scale = Math.min(1, SIDE / Math.max(whole.width, whole.height));
  const size = [whole.width, whole.height].map((side) => Math.max(1, Math.round(side * scale)));
  const canvas = new OffscreenCanvas(...size);
  canvas.getContext("2d").drawImage(whole, 0, 0, ...size);
  const blob = await canvas.convertToBlob({ type: "image/webp", quality: 0.85 });
  return toAddress(new Uint8Array(await blob.arrayBuffer()));
}

const blobs = new Map();

// The picture's bytes and a URL to show them; null for text that is not valid.
export function decoded(text) {
  if (!blobs.has(text)) {
    try {
      const blob = new Blob([fromAddress(text)], { type: "image/webp" });
      blobs.set(text, { blob, url: URL.createObjectURL(blob) });
    } catch {
      blobs.set(text, null);
    }
  }
  return blobs.get(text);
}
