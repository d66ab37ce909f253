import { h } from "preact";
import htm from "htm";

/** Build elements from tagged templates. Text is always text: nothing is parsed as HTML. */
export const html = htm.bind(h);
