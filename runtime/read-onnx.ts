import { descriptionFromMetadata, type ModelDescription } from "./description.ts";

/** Field of ModelProto that holds key and value pairs, and the fields of such a pair. */
const metadataField = 14;
const keyField = 1;
const valueField = 2;

/** The description that plec wrote into an ONNX file; null for bytes that are no such file. */
export function readDescription(bytes: Uint8Array): ModelDescription | null {
  const metadata = readMetadata(bytes);
  return metadata === null ? null : descriptionFromMetadata(metadata);
}

/**
 * The metadata of an ONNX model. Reads the outermost fields alone, so that weights are stepped over and no protobuf library is loaded; null when the bytes
 * are not a protobuf message.
 *
 * @see Protocol Buffers, Encoding; onnx.proto, ModelProto.metadata_props
 */
export function readMetadata(bytes: Uint8Array): ReadonlyMap<string, string> | null {
  const fields = readFields(bytes);
  if (fields === null) return null;
  const metadata = new Map<string, string>();
  for (const { number, content } of fields) {
    if (number !== metadataField || content === null) continue;
    const entry = readFields(content);
    if (entry === null) return null;
    const text = (field: number) => new TextDecoder().decode(entry.findLast((item) => item.number === field)?.content ?? new Uint8Array());
    metadata.set(text(keyField), text(valueField));
  }
  return metadata;
}

interface Field {
  readonly number: number;
  /** The bytes of a length-delimited field; null for the others. */
  readonly content: Uint8Array | null;
}

function readFields(bytes: Uint8Array): readonly Field[] | null {
  const fields: Field[] = [];
  let at = 0;
  /** A varint as a float: exact up to 2^53; NaN past the end. */
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++];
      if (byte === undefined || scale > 2 ** 63) return Number.NaN;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const number = Math.floor(tag / 8);
    const wireType = tag % 8;
    if (wireType === 2) {
      const length = varint();
      if (!(at + length <= bytes.length)) return null;
      fields.push({ number, content: bytes.subarray(at, at + length) });
      at += length;
      continue;
    }
    if (wireType === 0) varint();
    else if (wireType === 1) at += 8;
    else if (wireType === 5) at += 4;
    else return null;
    if (!(at <= bytes.length)) return null;
    fields.push({ number, content: null });
  }
  return fields;
}
