// A line of pushes in, to be sent at once; a line back of what became of each. The program ends with its input.

import { createInterface } from "node:readline";

export async function converse(send) {
  for await (const line of createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await Promise.all(JSON.parse(line).map(send))));
  }
}
