import { ATTACHMENT_TYPES, bodyProblems, type AttachmentType } from '../../core/domain/attachment';
import type { FieldError } from '../../core/domain/domain-error';
import { keyPrefixProblem, keyProblem, taskIdProblem } from '../../core/domain/identifiers';
import type { JsonText } from '../../core/domain/json-text';
import {
  DEFAULT_ATTACHMENTS_PER_PAGE,
  MAX_ATTACHMENTS_PER_BATCH,
  MAX_ATTACHMENTS_PER_PAGE,
} from '../../core/domain/limits';
import type { CoreSettings } from '../../core/ports/core-settings';
import type { CreateAttachmentCommand } from '../../core/use-cases/attachments/create-attachment';
import type { ListAttachmentsCommand } from '../../core/use-cases/attachments/list-attachments';
import {
  isArrayOf,
  isBoolean,
  isIntegerFrom,
  isNumber,
  isOneOf,
  isString,
  Json,
  MayBeOmitted,
  Nested,
  Rule,
  type CrossChecked,
} from './params-rules';

export class AttachmentRefParams {
  @Rule(taskIdProblem)
  taskId!: string;

  @Rule(keyProblem)
  key!: string;
}

export class CreateAttachmentParams extends AttachmentRefParams implements CrossChecked {
  @Rule(isOneOf(ATTACHMENT_TYPES))
  type!: AttachmentType;

  @Json({ orNull: true })
  value?: JsonText;

  @MayBeOmitted()
  @Rule(isString)
  content?: string;

  @MayBeOmitted()
  @Rule(isString)
  url?: string;

  @MayBeOmitted()
  @Rule(isString)
  mimeType?: string;

  @MayBeOmitted()
  @Rule(isNumber)
  size?: number;

  @MayBeOmitted()
  @Rule(isNumber)
  ttlSeconds?: number;

  @MayBeOmitted()
  @Rule(isBoolean)
  ifAbsent?: boolean;

  @MayBeOmitted()
  @Rule(isIntegerFrom(1))
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
  @Rule(isIntegerFrom(1))
  ifVersion?: number;
}

export class ListAttachmentsParams {
  @Rule(taskIdProblem)
  taskId!: string;

  @MayBeOmitted()
  @Rule(isOneOf(ATTACHMENT_TYPES))
  type?: AttachmentType;

  @Rule(keyPrefixProblem)
  keyPrefix = '';

  @Rule(isBoolean)
  includeBodies = true;

  @Rule(isIntegerFrom(1, MAX_ATTACHMENTS_PER_PAGE))
  limit = DEFAULT_ATTACHMENTS_PER_PAGE;

  @Rule(isIntegerFrom(0))
  offset = 0;

  @Rule(isOneOf(['asc', 'desc']))
  order = 'asc';

  toCommand(): ListAttachmentsCommand {
    const { order, ...command } = this;
    return { ...command, descending: order === 'desc' };
  }
}

export class GetAttachmentsBatchParams {
  @Nested(AttachmentRefParams)
  @Rule(isArrayOf(1, MAX_ATTACHMENTS_PER_BATCH))
  requests!: AttachmentRefParams[];

  @Rule(isBoolean)
  allowMissing = false;
}
