import { ConsoleElement } from "./console.js";
import { ApiKeysElement } from "./element.js";

customElements.get("keywright-api-keys") ?? customElements.define("keywright-api-keys", ApiKeysElement);
customElements.get("keywright-console") ?? customElements.define("keywright-console", ConsoleElement);
