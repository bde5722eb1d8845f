import { Controller } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { JsonText } from '../../core/domain/json-text';
import { Documents } from './documents';

/**
 * `rpc.discover`, the service discovery method of OpenRPC. It shows no data, so it passes no guard: a client that has
 * no credential yet finds out here which methods there are.
 */
@Controller()
export class DiscoverRpc {
  constructor(private readonly documents: Documents) {}

  @MessagePattern('rpc.discover')
  discover(): JsonText {
    return JsonText.restore(this.documents.get('openrpc').text);
  }
}
