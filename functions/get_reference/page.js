"use strict";
(() => {
  const operations = document.getElementById("operations");

  // The library has dark colors for this class.
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const color = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
  dark.addEventListener("change", color);
  color();

  // The operations are drawn above the entry that the address names, and would push it away where the browser has no
  // scroll anchoring (Safari): it is brought back until the reader moves.
  const follow = () => document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
  const observer = new ResizeObserver(follow);
  observer.observe(operations);
  for (const event of ["wheel", "touchstart", "keydown", "mousedown"]) {
    addEventListener(event, () => observer.disconnect(), { once: true, passive: true });
  }

  // Every field of the authorizations takes the focus when it is drawn, and so the last one has it: the first is the
  // session token, which most operations need.
  operations.addEventListener("click", (event) => {
    if (event.target.closest(".authorize, .authorization__btn")) {
      setTimeout(() => document.querySelector(".auth-container input")?.focus());
    }
  });

  // A browser has no AWS credentials, and one field is enough for an API key.
  const isSigned = (scheme) => scheme["x-amazon-apigateway-authtype"] === "awsSigv4";
  const forBrowsers = (description) => {
    const schemes = description.components.securitySchemes;
    const left = Object.entries(schemes).filter(([name, scheme]) => !isSigned(scheme) && name !== "apiKeyAsBearer");
    const isLeft = (requirement) => Object.keys(requirement).every((name) => left.some(([other]) => other === name));
    for (const methods of Object.values(description.paths)) {
      for (const operation of Object.values(methods)) {
        if (operation.security?.length) {
          operation["x-is-signed"] = Object.keys(operation.security[0]).some((name) => isSigned(schemes[name]));
          operation.security = operation.security.filter(isLeft);
        }
      }
    }
    description.components.securitySchemes = Object.fromEntries(left);
    return description;
  };
  const backends = () => ({
    statePlugins: {
      spec: {
        wrapActions: { updateJsonSpec: (original) => (description) => original(forBrowsers(description)) },
        wrapSelectors: {
          allowTryItOutFor: (_, system) => (_state, path, method) =>
            !system.getSystem().specSelectors.specJson().getIn(["paths", path, method, "x-is-signed"]),
        },
      },
    },
  });

  SwaggerUIBundle({
    url: "openapi.json",
    domNode: operations,
    presets: [SwaggerUIBundle.presets.apis],
    plugins: [backends],
    layout: "BaseLayout",
    validatorUrl: "none", // nothing is sent anywhere but to the API
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
    persistAuthorization: false, // a token is forgotten with the page
  });
})();
