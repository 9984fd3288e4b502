/** A character as a terminal shows it. */
export interface Cell {
  readonly text: string;
  /** Offset behind it in the line, in UTF-16 units. */
  readonly end: number;
  readonly column: number;
  readonly width: number;
}

// Within functions, since V8 looks up classes of characters as soon as there is an expression of them: a check without findings has none.

/** Characters that take no column: combining marks, joiners, variation selectors. */
const takesNone = (character: string): boolean => /^[\p{M}\p{Cf}]$/u.test(character);
const isControl = (character: string): boolean => /^[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]$/u.test(character);
/** East Asian wide and fullwidth characters, and emoji shown as pictures. */
const isWide = (character: string): boolean =>
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}$/u.test(
    character,
  );

/**
 * The characters of a line with their columns. Tabs become spaces, control characters a replacement sign. Of a very long line only the part
 * around `focus` is laid out, as `width` columns cannot show more.
 */
export function layOut(
  line: string,
  tabSize: number,
  focus: { readonly start: number; readonly end: number },
  width: number,
): readonly Cell[] {
  const reach = 4 * width;
  const from = characterStart(line, Math.max(0, focus.start - reach));
  const to = characterStart(line, Math.min(line.length, Math.min(focus.end, focus.start + reach) + reach));
  const cells: Cell[] = [];
  let column = 0;
  let offset = from;
  for (const character of line.slice(from, to)) {
    offset += character.length;
    const width = columnsOf(character, column, tabSize);
    const text = character === "\t" ? " ".repeat(width) : isControl(character) ? "\ufffd" : /\p{Cf}/u.test(character) ? "" : character;
    cells.push({ text, end: offset, column, width });
    column += width;
  }
  return cells;
}

function columnsOf(character: string, column: number, tabSize: number): number {
  if (character === "\t") return tabSize - (column % tabSize);
  if (character >= " " && character <= "~") return 1;
  if (takesNone(character)) return 0;
  return isWide(character) ? 2 : 1;
}

/** An offset that does not fall between the halves of a surrogate pair. */
function characterStart(line: string, offset: number): number {
  const unit = line.charCodeAt(offset);
  return unit >= 0xdc00 && unit <= 0xdfff && offset > 0 ? offset - 1 : offset;
}

export function visibleWidth(cells: readonly Cell[]): number {
  const last = cells[cells.length - 1];
  return last === undefined ? 0 : last.column + last.width;
}
