import { Controller, Get, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Documents, type DocumentName } from './documents';
import { sendPublication } from './publication';

/** The machine-readable contracts over HTTP. They hold no data, so they need no credential. */
@Controller()
export class DocumentsController {
  constructor(private readonly documents: Documents) {}

  @Get('openrpc.json')
  openRpc(@Req() request: FastifyRequest, @Res() reply: FastifyReply): void {
    this.send('openrpc', request, reply);
  }

  @Get('openapi.json')
  openApi(@Req() request: FastifyRequest, @Res() reply: FastifyReply): void {
    this.send('openapi', request, reply);
  }

  @Get('asyncapi.json')
  asyncApi(@Req() request: FastifyRequest, @Res() reply: FastifyReply): void {
    this.send('asyncapi', request, reply);
  }

  private send(name: DocumentName, request: FastifyRequest, reply: FastifyReply): void {
    sendPublication(this.documents.get(name), 'application/json', request, reply);
  }
}
