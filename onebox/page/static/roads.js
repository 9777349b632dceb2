// What the page asks of the stack: each act by the one road that the control interface has for it.

import { say } from "./dom.js";

const aloud = document.getElementById("aloud");

/** Send a body as JSON; resolves to the answer, rejects with the stack's own words. */
export function post(path, body) {
  return postText(path, JSON.stringify(body));
}

/** Send JSON as somebody wrote it: parsed and written anew, its numbers would be others (1.0, 9007199254740993). */
export async function postText(path, body) {
  let response;
  try {
    response = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
  } catch {
    throw new Error("the stack does not answer: is it still running?");
  }
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.message ?? `the stack answered ${response.status}`);
  return answer;
}

/** Do something for whoever pressed a button, and say what came of it. */
export async function act(path, body, done) {
  try {
    const answer = await post(path, body);
    tell(done);
    return answer;
  } catch (error) {
    tell(error.message, { wrong: true });
    return null;
  }
}

/** Say a sentence to those who can't see what changed; what went wrong, to everybody. */
export function tell(sentence, { wrong = false } = {}) {
  say(aloud, sentence);
  aloud.classList.toggle("wrong", wrong);
}
