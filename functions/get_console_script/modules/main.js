// The start of the console: the views are defined from here.
import { render } from "preact";
import { useState } from "preact/hooks";
import htm from "htm";

/** The libraries, until the views use them. */
export const libraries = { htm, render, useState };
