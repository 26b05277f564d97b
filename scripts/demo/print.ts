/** How the demo speaks. */

/** Says things to a person who sees all this for the first time. */
export interface Say {
  /** One line as it is. */
  line(text: string): void;
  /** A numbered heading with what it is about, in sentences. */
  step(about: { readonly heading: string; readonly text: string }): void;
  /** A command that a person could have typed. */
  command(text: string): void;
  /** What a file holds or a program printed. */
  quote(text: string): void;
  /** What came of it. */
  result(text: string): void;
}

const WIDTH = 96;

/** Speaks to a sink that gets whole lines. */
export function printer(write: (text: string) => void): Say {
  let count = 0;
  const line = (text: string): void => write(`${text}\n`);
  return {
    line,
    step: ({ heading, text }) => {
      line("");
      line(`${++count}. ${heading}`);
      for (const one of wrapped(text, { width: WIDTH - 3 })) line(`   ${one}`);
    },
    command: (text) => line(`   $ ${text}`),
    quote: (text) => {
      for (const one of text.trimEnd().split("\n")) line(`   | ${one}`);
    },
    result: (text) => {
      for (const one of wrapped(text, { width: WIDTH - 6 })) line(`   => ${one}`);
    },
  };
}

function wrapped(text: string, { width }: { readonly width: number }): readonly string[] {
  const lines: string[] = [];
  let current = "";
  for (const word of text.split(" ")) {
    if (current !== "" && current.length + 1 + word.length > width) {
      lines.push(current);
      current = word;
    } else current = current === "" ? word : `${current} ${word}`;
  }
  return [...lines, current];
}
