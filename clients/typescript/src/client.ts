import type {
  ApiKeyDetails,
  ApiKeySummary,
  AuditLog,
  AuditLogOptions,
  CreateApiKey,
  CreatedApiKey,
  DeleteOptions,
  DirectTarget,
  KeywrightOptions,
  ListOptions,
  RotateOptions,
  RotatedApiKey,
  UpdateApiKey,
  Verification,
  VerifyOptions,
} from "./types.js";

/** Client of one deployment of Keywright. */
export declare class Keywright {
  constructor(target: string | URL | (DirectTarget & KeywrightOptions), options?: KeywrightOptions);
  verify(text: string, options?: VerifyOptions): Promise<Verification>;
  create(apiKey: CreateApiKey): Promise<CreatedApiKey>;
  list(options?: ListOptions): AsyncIterable<ApiKeySummary>;
  get(id: string): Promise<ApiKeyDetails>;
  update(id: string, changes: UpdateApiKey): Promise<ApiKeyDetails>;
  rotate(id: string, options?: RotateOptions): Promise<RotatedApiKey>;
  delete(id: string, options?: DeleteOptions): Promise<void>;
  auditLogs(options?: AuditLogOptions): AsyncIterable<AuditLog>;
}
