const element = document.querySelector("keywright-api-keys");

// Called for each request. Your backend answers from the session of your application.
element.tokenProvider = async ({ refresh }) => {
  const response = await fetch(`/keywright-token${refresh ? "?refresh" : ""}`);
  const { token, message } = await response.json();
  if (!response.ok) throw new Error(message);
  return token;
};

for (const name of ["key-created", "key-updated", "key-rotated", "key-deleted", "error"]) {
  element.addEventListener(`keywright-${name}`, ({ type, detail }) => {
    const item = document.createElement("li");
    item.textContent = `${type} ${JSON.stringify(detail)}`;
    document.querySelector("#events").append(item);
  });
}
