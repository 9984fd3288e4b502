import { styleText } from "node:util";

const styles = ["bold", "dim", "red", "green", "yellow", "blue", "cyan"] as const;

export type Paint = (text: string) => string;
export type Paints = Readonly<Record<(typeof styles)[number], Paint>>;

/** What colours texts for a terminal; without colour, what leaves them as they are. */
export function paintsOf(colour: boolean): Paints {
  const paint = (style: (typeof styles)[number]): Paint => (colour ? (text) => styleText(style, text, { validateStream: false }) : String);
  return Object.fromEntries(styles.map((style) => [style, paint(style)])) as Paints;
}
