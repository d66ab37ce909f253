"use strict";
(() => {
  const operations = document.getElementById("operations");

  // The operations are drawn above the entry that the address names, and would push it away where the browser has no
  // scroll anchoring (Safari): it is brought back until the reader moves.
  const follow = () => document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
  const observer = new ResizeObserver(follow);
  observer.observe(operations);
  for (const event of ["wheel", "touchstart", "keydown", "mousedown"]) {
    addEventListener(event, () => observer.disconnect(), { once: true, passive: true });
  }

  SwaggerUIBundle({
    url: "openapi.json",
    domNode: operations,
    presets: [SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
    validatorUrl: "none", // nothing is sent anywhere but to the API
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
    persistAuthorization: false, // a token is forgotten with the page
  });
})();
