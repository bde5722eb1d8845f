import { ATTACHMENT_TYPES, bodyProblems, TAKEN_BY_TYPE, type AttachmentType } from '../../core/domain/attachment';
import type { FieldError } from '../../core/domain/domain-error';
import type { JsonText } from '../../core/domain/json-text';
import {
  DEFAULT_ATTACHMENTS_PER_PAGE,
  MAX_ATTACHMENTS_PER_BATCH,
  MAX_ATTACHMENTS_PER_PAGE,
} from '../../core/domain/limits';
import type { CoreSettings } from '../../core/ports/core-settings';
import type { CreateAttachmentCommand } from '../../core/use-cases/attachments/create-attachment';
import type { ListAttachmentsCommand } from '../../core/use-cases/attachments/list-attachments';
import type { JsonSchema } from './json-schema';
import {
  isArrayOf,
  isBoolean,
  isIntegerFrom,
  isKey,
  isKeyPrefix,
  isNumber,
  isOneOf,
  isString,
  isTaskId,
} from './member-rules';
import { Json, MayBeOmitted, Nested, Rule, type CrossChecked, type CrossSchema } from './params-rules';
import { CONTENT, HTTP_URL, JSON_VALUE, MIME_TYPE, SIZE, TTL_SECONDS } from './wire-schemas';

const LIMITED = 'at most MAX_ATTACHMENT_BYTES, 1 MiB unless the operator has set another limit';

export class AttachmentRefParams {
  @Rule(isTaskId)
  taskId!: string;

  @Rule(isKey)
  key!: string;
}

export class CreateAttachmentParams extends AttachmentRefParams implements CrossChecked {
  static readonly crossSchema: CrossSchema = {
    oneOf: ATTACHMENT_TYPES.map(schemaOfType),
    not: {
      properties: { ifAbsent: { const: true }, ifVersion: { type: 'integer' } },
      required: ['ifAbsent', 'ifVersion'],
    },
  };

  @Rule(isOneOf(ATTACHMENT_TYPES), { description: 'Decides which members are needed.' })
  type!: AttachmentType;

  @Json(
    {
      ...JSON_VALUE,
      'x-maxJsonBytes': 'MAX_ATTACHMENT_BYTES',
      description: `Of type json: any JSON value, null included, ${LIMITED}.`,
    },
    { orNull: true },
  )
  value?: JsonText;

  @MayBeOmitted()
  @Rule(isString, {
    ...CONTENT,
    'x-maxBytes': 'MAX_ATTACHMENT_BYTES',
    description: `Of type markdown or text: ${LIMITED}.`,
  })
  content?: string;

  @MayBeOmitted()
  @Rule(isString, HTTP_URL)
  url?: string;

  @MayBeOmitted()
  @Rule(isString, MIME_TYPE)
  mimeType?: string;

  @MayBeOmitted()
  @Rule(isNumber, SIZE)
  size?: number;

  @MayBeOmitted()
  @Rule(isNumber, { ...TTL_SECONDS, description: 'After this time no answer shows the attachment.' })
  ttlSeconds?: number;

  @MayBeOmitted()
  @Rule(isBoolean, { description: 'True: write only if there is no attachment under the key.' })
  ifAbsent?: boolean;

  @MayBeOmitted()
  @Rule(isIntegerFrom(1), { description: 'Write only over this version.' })
  ifVersion?: number;

  problems({ maxAttachmentBytes }: CoreSettings): FieldError[] {
    const problems = bodyProblems(this, maxAttachmentBytes);
    if (this.ifAbsent && this.ifVersion !== undefined) {
      problems.push({ field: 'ifAbsent', message: 'must not be combined with ifVersion' });
    }
    return problems;
  }

  toCommand(): CreateAttachmentCommand {
    const { taskId, key, type, value, content, url, mimeType, size, ttlSeconds, ifAbsent, ifVersion } = this;
    const ifUnchanged = ifVersion === undefined ? undefined : { ifVersion };
    const condition = ifAbsent ? { ifAbsent } : ifUnchanged;
    return { taskId, key, type, value, content, url, mimeType, size, ttlSeconds, condition };
  }
}

export class DeleteAttachmentParams extends AttachmentRefParams {
  @MayBeOmitted()
  @Rule(isIntegerFrom(1), { description: 'Delete only this version.' })
  ifVersion?: number;
}

export class ListAttachmentsParams {
  @Rule(isTaskId)
  taskId!: string;

  @MayBeOmitted()
  @Rule(isOneOf(ATTACHMENT_TYPES), { description: 'Only attachments of this type.' })
  type?: AttachmentType;

  @Rule(isKeyPrefix)
  keyPrefix = '';

  @Rule(isBoolean, { description: 'False: `bytes` instead of `value` and `content`.' })
  includeBodies = true;

  @Rule(isIntegerFrom(1, MAX_ATTACHMENTS_PER_PAGE), { description: 'The most attachments to return.' })
  limit = DEFAULT_ATTACHMENTS_PER_PAGE;

  @Rule(isIntegerFrom(0), { description: 'How many attachments to skip.' })
  offset = 0;

  @Rule(isOneOf(['asc', 'desc']), { description: 'By `createdAt`, then by the UTF-8 bytes of `key`.' })
  order = 'asc';

  toCommand(): ListAttachmentsCommand {
    const { order, ...command } = this;
    return { descending: order === 'desc', ...command };
  }
}

export class GetAttachmentsBatchParams {
  @Nested(AttachmentRefParams)
  @Rule(isArrayOf(1, MAX_ATTACHMENTS_PER_BATCH), { description: 'The attachments to return.' })
  requests!: AttachmentRefParams[];

  @Rule(isBoolean, { description: 'True: null in place of an attachment that is missing.' })
  allowMissing = false;
}

/** Which members an attachment of this type needs, and which it does not take. Null is a value of `value` alone. */
function schemaOfType(type: AttachmentType): JsonSchema {
  const { needs, allows } = TAKEN_BY_TYPE[type];
  const refused = (['value', 'content', 'url'] as const).filter((member) => !allows.includes(member));
  const members: Record<string, JsonSchema> = { type: { const: type } };
  if (needs !== 'value') members[needs] = { type: 'string' };
  for (const member of refused) members[member] = member === 'value' ? { not: {} } : { type: 'null' };
  return { properties: members, required: ['type', needs] };
}
