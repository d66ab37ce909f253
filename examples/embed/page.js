const element = document.querySelector("keywright-api-keys");

// Called for each request. Your backend answers from the session of your application.
element.tokenProvider = async ({ refresh }) => {
  const response = await fetch(`/keywright-token${refresh ? "?refresh" : ""}`);
  if (response.status === 401) throw new Error("You are signed out of this application");
  if (!response.ok) throw new Error("This application could not get a session token");
  return (await response.json()).token;
};

for (const name of ["key-created", "key-updated", "key-rotated", "key-deleted", "error"]) {
  element.addEventListener(`keywright-${name}`, ({ type, detail }) => {
    const item = document.createElement("li");
    item.textContent = `${type} ${JSON.stringify(detail)}`;
    document.querySelector("#events").append(item);
  });
}
