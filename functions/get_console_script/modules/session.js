export class SessionError extends Error {}
export function createSession(config) {
  const user = new URLSearchParams(location.search).get("user") ?? "demo-owner";
  const org = new URLSearchParams(location.search).get("org") ?? "5f0c2c0e-9a3d-4b6e-8f57-0d6f2b8a1c01";
  return {
    start: async () => "signed-in",
    signIn: async () => {},
    signOut: async () => {},
    token: async () => window.devToken,
    user: { id: user, name: "Olga Owner" },
  };
}
