import { Ctx, Payload } from '@nestjs/microservices';
import { MAX_ATTACHMENTS_PER_TASK } from '../../core/domain/limits';
import { CreateAttachment } from '../../core/use-cases/attachments/create-attachment';
import { DeleteAttachment } from '../../core/use-cases/attachments/delete-attachment';
import { GetAttachment } from '../../core/use-cases/attachments/get-attachment';
import { GetAttachmentsBatch } from '../../core/use-cases/attachments/get-attachments-batch';
import { ListAttachments } from '../../core/use-cases/attachments/list-attachments';
import {
  AttachmentRefParams,
  CreateAttachmentParams,
  DeleteAttachmentParams,
  GetAttachmentsBatchParams,
  ListAttachmentsParams,
} from './attachments.params';
import {
  ATTACHMENT_BATCH,
  ATTACHMENT_PAGE,
  DELETED_ATTACHMENT,
  FOUND_ATTACHMENT,
  WRITTEN_ATTACHMENT,
  attachmentBatchView,
  attachmentPageView,
  deletedAttachmentView,
  foundAttachmentView,
  writtenAttachmentView,
} from './attachments.view';
import * as examples from './attachments.examples';
import { CallContext } from '../json-rpc/call-context';
import { RpcController } from './rpc-controller';
import { RpcMethod } from './rpc-method';

@RpcController()
export class AttachmentsRpc {
  constructor(
    private readonly createAttachment: CreateAttachment,
    private readonly getAttachment: GetAttachment,
    private readonly listAttachments: ListAttachments,
    private readonly getAttachmentsBatch: GetAttachmentsBatch,
    private readonly deleteAttachment: DeleteAttachment,
  ) {}

  @RpcMethod('task.create_attachment', {
    summary: 'Writes an attachment of a task, or overwrites it.',
    description:
      'Keeps data that belongs to a task: a JSON value, a text, a link, or what is known of a file that is kept elsewhere. ' +
      'An overwrite replaces everything except `id`, `createdBy` and `createdAt`. Each ' +
      '`type` needs its own member, and a member that the type does not take is refused. A task holds at most ' +
      `${MAX_ATTACHMENTS_PER_TASK} attachments.`,
    role: 'write',
    destructive: true,
    idempotent: true,
    result: WRITTEN_ATTACHMENT,
    errors: ['TASK_NOT_FOUND', 'VERSION_CONFLICT', 'QUOTA_EXCEEDED'],
    failure: 'Failed to create attachment',
    examples: examples.CREATE_ATTACHMENT,
  })
  async create(@Payload() params: CreateAttachmentParams, @Ctx() { caller, room }: CallContext): Promise<object> {
    return writtenAttachmentView(await this.createAttachment.execute(params.toCommand(), caller, room));
  }

  @RpcMethod('task.get_attachment', {
    summary: 'Returns one attachment.',
    description: 'Usually from the cache. Members that do not apply to the type are absent, not null.',
    role: 'read',
    result: FOUND_ATTACHMENT,
    errors: ['TASK_NOT_FOUND', 'ATTACHMENT_NOT_FOUND'],
    failure: 'Failed to retrieve attachment',
    examples: examples.GET_ATTACHMENT,
  })
  async get(@Payload() params: AttachmentRefParams, @Ctx() { caller, room }: CallContext): Promise<object> {
    return foundAttachmentView(await this.getAttachment.execute(params, caller, room));
  }

  @RpcMethod('task.list_attachments', {
    summary: 'Lists the attachments of a task, page by page.',
    description:
      'The list is complete, whatever part of the cache is missing. If neither the cache nor PostgreSQL can answer, it is ' +
      'empty and has `degraded: true`.',
    role: 'read',
    result: ATTACHMENT_PAGE,
    errors: ['TASK_NOT_FOUND'],
    failure: 'Failed to retrieve attachments',
    examples: examples.LIST_ATTACHMENTS,
  })
  async list(@Payload() params: ListAttachmentsParams, @Ctx() { caller, room }: CallContext): Promise<object> {
    const page = await this.listAttachments.execute(params.toCommand(), caller, room);
    return attachmentPageView(page, params.includeBodies);
  }

  @RpcMethod('task.get_attachments_batch', {
    summary: 'Returns several attachments, of one task or of several.',
    description:
      'If one of them is missing, the whole call fails, unless `allowMissing` is true. Equal requests are read once.',
    role: 'read',
    result: ATTACHMENT_BATCH,
    errors: ['ATTACHMENT_NOT_FOUND'],
    failure: 'Failed to retrieve attachments',
    notFound: 'Attachment not found: {taskId}/{key}',
    examples: examples.GET_ATTACHMENTS_BATCH,
  })
  async getBatch(@Payload() params: GetAttachmentsBatchParams, @Ctx() { caller, room }: CallContext): Promise<object> {
    return attachmentBatchView(await this.getAttachmentsBatch.execute(params, caller, room));
  }

  @RpcMethod('task.delete_attachment', {
    summary: 'Deletes an attachment.',
    description:
      'Once the call has succeeded, the attachment stays deleted, whatever fails. A second call does not find it.',
    role: 'write',
    destructive: true,
    idempotent: true,
    callsPerMinute: 100,
    result: DELETED_ATTACHMENT,
    errors: ['TASK_NOT_FOUND', 'ATTACHMENT_NOT_FOUND', 'VERSION_CONFLICT'],
    failure: 'Failed to delete attachment',
    notFound: "Attachment '{key}' not found for task {taskId}",
    examples: examples.DELETE_ATTACHMENT,
  })
  async delete(@Payload() params: DeleteAttachmentParams, @Ctx() { caller, room }: CallContext): Promise<object> {
    return deletedAttachmentView(await this.deleteAttachment.execute(params, caller, room));
  }
}
