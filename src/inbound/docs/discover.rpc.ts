import { Controller, UseFilters } from '@nestjs/common';
import { Ctx, MessagePattern, Payload } from '@nestjs/microservices';
import { JsonText } from '../../core/domain/json-text';
import type { Room } from '../../core/ports/room';
import { RpcErrorFilter } from '../methods/rpc-error.filter';
import { Documents } from './documents';

/**
 * `rpc.discover`, the service discovery method of OpenRPC. It shows no data, so it passes no guard: a client that has
 * no credential yet finds out here which methods there are.
 */
@Controller()
@UseFilters(RpcErrorFilter)
export class DiscoverRpc {
  private document?: JsonText;

  constructor(private readonly documents: Documents) {}

  @MessagePattern('rpc.discover')
  discover(@Payload() _params: unknown, @Ctx() { room }: { readonly room?: Room }): JsonText {
    // A batch may ask for it a hundred times.
    this.document ??= JsonText.restore(this.documents.get('openrpc').text);
    room?.take(this.document.sizeBytes);
    return this.document;
  }
}
