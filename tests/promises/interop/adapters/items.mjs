// Items between programs: what `encode_items` and `decode_items` of `cases.py` are in Python.

const TYPES = {
  b1: Uint8Array, i1: Int8Array, i2: Int16Array, i4: Int32Array, i8: BigInt64Array, u1: Uint8Array, u2: Uint16Array,
  u4: Uint32Array, u8: BigUint64Array, f4: Float32Array, f8: Float64Array,
};

// The items of a file as a typed array, or the texts.
export function decode(theCase, data) {
  if (theCase.numpy === null) return JSON.parse(data);
  const type = TYPES[String(theCase.numpy).slice(1)];
  if (!type) throw new Error(`no array of ${theCase.numpy} in JavaScript`);
  const bytes = Uint8Array.from(Buffer.from(data, "base64"));
  return new type(bytes.buffer);
}

export function encode(theCase, items) {
  if (theCase.numpy === null) return JSON.stringify(Array.from(items));
  return Buffer.from(items.buffer, items.byteOffset, items.byteLength).toString("base64");
}

// Items that lie with strides, in C order.
export function dense(data, shape, stride) {
  const count = shape.reduce((a, b) => a * b, 1);
  const out = Array.isArray(data) ? new Array(count) : new data.constructor(count);
  const at = new Array(shape.length).fill(0);
  for (let i = 0; i < count; i++) {
    out[i] = data[at.reduce((sum, n, axis) => sum + n * stride[axis], 0)];
    for (let axis = shape.length - 1; axis >= 0 && ++at[axis] === shape[axis]; axis--) at[axis] = 0;
  }
  return out;
}

export function rowMajor(shape) {
  const stride = new Array(shape.length);
  for (let axis = shape.length - 1, step = 1; axis >= 0; step *= shape[axis], axis--) stride[axis] = step;
  return stride;
}
