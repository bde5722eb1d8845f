import { Controller, Get, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Documents, type DocumentName } from './documents';

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

  /** Another release may have another document: a browser keeps it, and asks each time whether it is still the same. */
  private send(name: DocumentName, { headers }: FastifyRequest, reply: FastifyReply): void {
    const { text, etag } = this.documents.get(name);
    void reply.headers({ etag, 'cache-control': 'no-cache' });
    const known = headers['if-none-match']?.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
    if (known?.includes(etag)) void reply.code(304).send();
    else void reply.type('application/json; charset=utf-8').send(text);
  }
}
