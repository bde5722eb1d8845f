/** What the documents say of this service. It holds no data of a caller, and no secret. */
export class ServiceFacts {
  constructor(
    /** Semantic version. */
    readonly version: string,
    /** Host and port, as far as the service knows them. */
    readonly address: string,
    readonly needsCredential: boolean,
    readonly limits: {
      readonly maxAttachmentBytes: number;
      readonly maxBodyBytes: number;
      readonly maxReplyBytes: number;
    },
    /** Undefined without NATS. */
    readonly nats?: { readonly prefix?: string },
    readonly servesMcp = false,
  ) {}
}
