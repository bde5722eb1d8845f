import { Ctx, MessagePattern, Payload } from '@nestjs/microservices';
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
  attachmentBatchView,
  attachmentPageView,
  deletedAttachmentView,
  foundAttachmentView,
  writtenAttachmentView,
} from './attachments.view';
import { CallContext } from '../json-rpc/call-context';
import { RpcController } from './rpc-controller';

@RpcController()
export class AttachmentsRpc {
  constructor(
    private readonly createAttachment: CreateAttachment,
    private readonly getAttachment: GetAttachment,
    private readonly listAttachments: ListAttachments,
    private readonly getAttachmentsBatch: GetAttachmentsBatch,
    private readonly deleteAttachment: DeleteAttachment,
  ) {}

  @MessagePattern('task.create_attachment')
  async create(@Payload() params: CreateAttachmentParams, @Ctx() { caller, room }: CallContext): Promise<object> {
    return writtenAttachmentView(await this.createAttachment.execute(params.toCommand(), caller, room));
  }

  @MessagePattern('task.get_attachment')
  async get(@Payload() params: AttachmentRefParams, @Ctx() { caller, room }: CallContext): Promise<object> {
    return foundAttachmentView(await this.getAttachment.execute(params, caller, room));
  }

  @MessagePattern('task.list_attachments')
  async list(@Payload() params: ListAttachmentsParams, @Ctx() { caller, room }: CallContext): Promise<object> {
    const page = await this.listAttachments.execute(params.toCommand(), caller, room);
    return attachmentPageView(page, params.includeBodies);
  }

  @MessagePattern('task.get_attachments_batch')
  async getBatch(@Payload() params: GetAttachmentsBatchParams, @Ctx() { caller, room }: CallContext): Promise<object> {
    return attachmentBatchView(await this.getAttachmentsBatch.execute(params, caller, room));
  }

  @MessagePattern('task.delete_attachment')
  async delete(@Payload() params: DeleteAttachmentParams, @Ctx() { caller, room }: CallContext): Promise<object> {
    return deletedAttachmentView(await this.deleteAttachment.execute(params, caller, room));
  }
}
